-- Rows that share a key. Of those with an id of their own the first counts; a
-- later one says the same (it is left out) or something else (it is rejected).
-- The others are real repeats, told apart by their ordinal. It does not depend
-- on the order of the rows but where all that they say is the same.
create table marks as
with repeated as (
    select key_hi, key_lo
    from facts
    group by key_hi, key_lo
    having count(*) > 1
)
select
    facts.seq,
    row_number() over alike as ordinal,
    facts.named and row_number() over alike > 1 as dropped,
    first_value(facts.seq) over alike as first_seq,
    facts.content_hi = first_value(facts.content_hi) over alike
    and facts.content_lo = first_value(facts.content_lo) over alike as same
from facts
semi join repeated on facts.key_hi = repeated.key_hi and facts.key_lo = repeated.key_lo
window alike as (
    partition by facts.key_hi, facts.key_lo
    order by case when facts.named then facts.seq end, facts.content_hi, facts.content_lo, facts.seq
)
