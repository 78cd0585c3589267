mod controlplane;
mod leader;
mod simulator;
mod support;
