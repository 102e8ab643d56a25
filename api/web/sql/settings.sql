-- The models' settings, one row.
select settings.*
from staging.settings
