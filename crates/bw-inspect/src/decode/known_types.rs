//! Types whose values are understood. Each is expected as tokio has it since 1.35, and was tested with 1.54.

/// What a value of a known type is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KnownType {
    /// Waits for permits of a semaphore, or has them and was not polled since.
    Acquire,
    /// Holds permits of a semaphore.
    Guard,
    /// Waits for the end of a task.
    JoinHandle,
}

/// The semaphore that tokio builds its locks on.
pub(super) const SEMAPHORE: &str = "tokio::sync::batch_semaphore::Semaphore";
pub(super) const MUTEX: &str = "tokio::sync::mutex::Mutex<";
pub(super) const RW_LOCK: &str = "tokio::sync::rwlock::RwLock<";
pub(super) const COUNTING: &str = "tokio::sync::semaphore::Semaphore";

/// Names of types, up to their arguments.
const TYPES: [(&str, KnownType); 16] = [
    ("tokio::sync::batch_semaphore::Acquire", KnownType::Acquire),
    ("tokio::sync::mutex::MutexGuard<", KnownType::Guard),
    ("tokio::sync::mutex::OwnedMutexGuard<", KnownType::Guard),
    ("tokio::sync::mutex::MappedMutexGuard<", KnownType::Guard),
    ("tokio::sync::mutex::OwnedMappedMutexGuard<", KnownType::Guard),
    ("tokio::sync::rwlock::read_guard::RwLockReadGuard<", KnownType::Guard),
    ("tokio::sync::rwlock::write_guard::RwLockWriteGuard<", KnownType::Guard),
    ("tokio::sync::rwlock::write_guard_mapped::RwLockMappedWriteGuard<", KnownType::Guard),
    ("tokio::sync::rwlock::owned_read_guard::OwnedRwLockReadGuard<", KnownType::Guard),
    ("tokio::sync::rwlock::owned_write_guard::OwnedRwLockWriteGuard<", KnownType::Guard),
    ("tokio::sync::rwlock::owned_write_guard_mapped::OwnedRwLockMappedWriteGuard<", KnownType::Guard),
    ("tokio::sync::semaphore::SemaphorePermit", KnownType::Guard),
    ("tokio::sync::semaphore::OwnedSemaphorePermit", KnownType::Guard),
    ("tokio::sync::mpsc::bounded::Permit<", KnownType::Guard),
    ("tokio::sync::mpsc::bounded::OwnedPermit<", KnownType::Guard),
    ("tokio::runtime::task::join::JoinHandle<", KnownType::JoinHandle),
];

/// What a type of this name is, if it is known.
pub(super) fn known(name: &str) -> Option<KnownType> {
    // Most types are of other crates.
    let of_tokio = name.starts_with("tokio::");
    TYPES.iter().filter(|_| of_tokio).find(|(known, _)| name.starts_with(known)).map(|(_, kind)| *kind)
}
