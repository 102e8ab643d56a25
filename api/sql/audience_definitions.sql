-- What the models say of the audiences.
select
    tables.table_name as name,
    coalesce(tables.comment, '') as definition
from duckdb_tables() as tables
where tables.database_name = current_database() and tables.schema_name = 'audience'
union all
select
    views.view_name,
    coalesce(views.comment, '')
from duckdb_views() as views
where views.database_name = current_database() and views.schema_name = 'audience'
