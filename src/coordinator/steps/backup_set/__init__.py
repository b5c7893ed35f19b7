"""Steps on backup sets: their ids, marks and objects, their verification and their deletion."""
