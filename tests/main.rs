#[cfg(test)]
#[cfg(test)]

mod api;
#[cfg(test)]
mod chart;
mod controlplane;
mod drift;
mod leader;
#[cfg(test)]
mod probe;
mod simulator;
mod support;
#[cfg(test)]
mod tools;
