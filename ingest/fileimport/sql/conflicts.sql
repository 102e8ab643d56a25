-- The first rows whose id an earlier row has with other content.
select staged.file_no, staged.at_line, earlier.file_no, earlier.at_line
from marks
join staged on staged.rowid = marks.seq
join staged as earlier on earlier.rowid = marks.first_seq
where marks.dropped and not marks.same
order by marks.seq
limit $1
