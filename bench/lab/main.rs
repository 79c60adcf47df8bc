//! `portreeve-lab`: what people need to try, test and load a gateway.

fn main() {}
