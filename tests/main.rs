mod chart;
mod controlplane;
mod support;
mod tools;
