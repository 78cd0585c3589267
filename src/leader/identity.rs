//! What name does a process have in the Lease? One that no other has, even in a Pod of the same name.

use ring::rand::{SecureRandom, SystemRandom};

/// The host's name, which is the Pod's, and 64 random bits.
pub(super) fn draw() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = Some(host.trim()).filter(|host| !host.is_empty()).unwrap_or("connector-operator");
    format!("{host}_{:016x}", random())
}

fn random() -> u64 {
    let mut bytes = [0; 8];
    match SystemRandom::new().fill(&mut bytes) {
        Ok(()) => u64::from_be_bytes(bytes),
        // The process id tells replicas on one host apart, the host's name others.
        Err(_) => u64::from(std::process::id()),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_two_names_are_equal() {
        let (one, other) = (super::draw(), super::draw());
        assert_ne!(one, other);
        assert!(one.rsplit_once('_').is_some_and(|(host, bits)| !host.is_empty() && bits.len() == 16), "{one}");
    }
}
