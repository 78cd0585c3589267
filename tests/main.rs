mod controlplane;
