mod controlplane;
mod leader;
mod support;
