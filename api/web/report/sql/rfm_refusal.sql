-- Why there are no RFM scores, and what they would need.
select
    coalesce(rfm_cuts.refusal, '') as refusal,
    settings.rfm_min_buyers::bigint as min_buyers,
    settings.rfm_min_history_days::bigint as min_history_days,
    settings.rfm_max_quiet_days::bigint as max_quiet_days
from intermediate.rfm_cuts
cross join staging.settings
