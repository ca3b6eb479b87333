//! The TSV rules: records, fields, escapes, NULL, header; knows no table by name but the one with another dialect.
