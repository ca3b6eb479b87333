//! `email_opt_in.csv`: who may be written to, joined to their profiles.
