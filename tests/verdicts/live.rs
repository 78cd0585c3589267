//! What only a real API server can show.
