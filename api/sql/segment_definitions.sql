-- What the models say of the columns that label customers.
select
    columns.column_name,
    coalesce(columns.comment, '') as definition
from duckdb_columns() as columns
where
    columns.database_name = current_database()
    and columns.schema_name = 'marts'
    and columns.table_name = 'customers'
    and columns.column_name in ('value_segment', 'frequency_segment', 'heat_class')
