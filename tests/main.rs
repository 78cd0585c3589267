mod controlplane;
#[cfg(test)]
mod drift;
mod support;
