mod controlplane;
mod simulator;
mod support;
