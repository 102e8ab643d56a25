-- What the models say of the columns of the relation $1.$2.
select
    columns.column_name as name,
    coalesce(columns.comment, '') as definition
from duckdb_columns() as columns
where
    columns.database_name = current_database()
    and columns.schema_name = $1::varchar
    and columns.table_name = $2::varchar
