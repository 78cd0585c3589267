//! Does what guards the keys hold? The registry of acceptance tests, and those that no other suite has.

mod registry;
