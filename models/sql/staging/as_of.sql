/* goodhour
doc: The instant that this file tells of, for views, whose readers have not set it.
grain: []
columns:
  as_of: "events after this instant are not counted anywhere, UTC"
*/
select getvariable('as_of')::timestamp as as_of
