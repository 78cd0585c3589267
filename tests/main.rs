//! The test suite: one binary, with the real API server, the real operator and simulated providers.

#[cfg(test)]
mod api;
#[cfg(test)]
mod chart;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod controller;
#[cfg(test)]
mod controlplane;
#[cfg(test)]
mod drift;
#[cfg(test)]
mod leader;
#[cfg(test)]
mod simulator;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tools;
