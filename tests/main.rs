mod simulator;
fn main(){}
