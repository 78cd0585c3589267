#[cfg(test)]
mod api;
#[cfg(test)]
mod chart;
mod controlplane;
#[cfg(test)]
mod drift;
mod support;
#[cfg(test)]
mod tools;
