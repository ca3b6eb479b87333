//! How a samced.db is made of tables, forum, structure and folds; and its tables as CSV.
