//! Do outputs serve their consumers? Real clients, shells and Pods take them as they are; and whose Secret it is not,
//! stays as it is.

pub(crate) mod clients;
mod consumers;
mod foreign;
mod formats;
mod shapes;
