#[cfg(test)]
#[cfg(test)]

mod api;
mod controlplane;
mod drift;
mod leader;
mod simulator;
mod support;
