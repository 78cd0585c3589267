#[cfg(test)]
mod api;
mod controlplane;
#[cfg(test)]
mod drift;
mod support;
