//! RADIUS octets, signatures, duplicates and the NAS table.
