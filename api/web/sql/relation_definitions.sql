-- What the models say of the relations.
select
    tables.schema_name as schema_name,
    tables.table_name as name,
    coalesce(tables.comment, '') as definition
from duckdb_tables() as tables
where tables.database_name = current_database() and not tables.internal
union all
select
    views.schema_name,
    views.view_name,
    coalesce(views.comment, '')
from duckdb_views() as views
where views.database_name = current_database() and not views.internal
