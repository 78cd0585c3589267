#[cfg(test)]
#[cfg(test)]

mod api;
#[cfg(test)]
mod chart;
mod controlplane;
mod drift;
mod leader;
mod simulator;
mod support;
#[cfg(test)]
mod tools;
