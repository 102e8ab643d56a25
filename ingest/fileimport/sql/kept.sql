create view kept as
select facts.*
from facts
anti join (select seq from marks where dropped) as dropped on facts.seq = dropped.seq
