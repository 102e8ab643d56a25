-- The bounds that the segments' definitions name.
select
    settings.value_mid_from::double as value_mid_from,
    settings.value_mid_to::double as value_mid_to,
    settings.frequency_lapsed_gaps::double as frequency_lapsed_gaps,
    settings.heat_hot_days::bigint as heat_hot_days,
    settings.heat_warm_days::bigint as heat_warm_days,
    settings.heat_cool_days::bigint as heat_cool_days
from staging.settings
