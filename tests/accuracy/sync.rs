//! Locks and signals.

/// The functions of a chain of three, as every module below has it.
const CHAIN: [&str; 3] = ["async fn self::outer", "async fn self::middle", "async fn self::leaf"];

mod notify {
    use super::CHAIN;
    use crate::harness::{at, waits};
    use tokio::sync::Notify;

    async fn outer() {
        at!(middle()).await;
    }

    async fn middle() {
        at!(leaf(&Notify::new())).await;
    }

    async fn leaf(notify: &Notify) {
        at!(notify.notified()).await;
    }

    #[test]
    fn waits() {
        waits!(outer(), CHAIN);
    }
}

mod semaphore {
    use super::CHAIN;
    use crate::harness::{at, waits};
    use tokio::sync::Semaphore;

    async fn outer() {
        at!(middle(2)).await;
    }

    async fn middle(permits: usize) {
        at!(leaf(&Semaphore::new(permits))).await;
    }

    async fn leaf(semaphore: &Semaphore) {
        let _held = at!(semaphore.acquire_many(2)).await;
        let _never = at!(semaphore.acquire()).await;
    }

    #[test]
    fn waits() {
        waits!(outer(), CHAIN);
    }
}

mod mutex {
    use super::CHAIN;
    use crate::harness::{at, waits};
    use tokio::sync::Mutex;

    async fn outer() {
        at!(middle(Mutex::new(1))).await;
    }

    async fn middle(mutex: Mutex<u32>) {
        let _held = mutex.lock().await;
        at!(leaf(&mutex)).await;
    }

    async fn leaf(mutex: &Mutex<u32>) {
        *at!(mutex.lock()).await += 1;
    }

    #[test]
    fn waits() {
        waits!(outer(), CHAIN);
    }
}

mod rwlock_read {
    use super::CHAIN;
    use crate::harness::{at, waits};
    use tokio::sync::RwLock;

    async fn outer() {
        at!(middle(RwLock::new(1))).await;
    }

    async fn middle(lock: RwLock<u32>) -> u32 {
        let _held = lock.write().await;
        at!(leaf(&lock)).await
    }

    async fn leaf(lock: &RwLock<u32>) -> u32 {
        *at!(lock.read()).await
    }

    #[test]
    fn waits() {
        waits!(outer(), CHAIN);
    }
}

mod rwlock_write {
    use super::CHAIN;
    use crate::harness::{at, waits};
    use tokio::sync::RwLock;

    async fn outer() {
        at!(middle(RwLock::new(1))).await;
    }

    async fn middle(lock: RwLock<u32>) {
        let _held = lock.read().await;
        at!(leaf(&lock)).await;
    }

    async fn leaf(lock: &RwLock<u32>) {
        *at!(lock.write()).await = 2;
    }

    #[test]
    fn waits() {
        waits!(outer(), CHAIN);
    }
}

mod barrier {
    use super::CHAIN;
    use crate::harness::{at, waits};
    use tokio::sync::Barrier;

    async fn outer() {
        at!(middle()).await;
    }

    async fn middle() {
        at!(leaf(&Barrier::new(2))).await;
    }

    async fn leaf(barrier: &Barrier) -> bool {
        at!(barrier.wait()).await.is_leader()
    }

    #[test]
    fn waits() {
        waits!(outer(), CHAIN);
    }
}

mod once_cell {
    use crate::harness::{at, waits};
    use tokio::sync::OnceCell;

    use crate::harness::HOUR;

    async fn outer() {
        at!(middle(&OnceCell::new())).await;
    }

    async fn middle(cell: &OnceCell<u32>) -> u32 {
        *at!(cell.get_or_init(initial)).await
    }

    async fn initial() -> u32 {
        at!(std::future::ready(1)).await;
        at!(tokio::time::sleep(HOUR)).await;
        2
    }

    #[test]
    fn waits() {
        waits!(outer(), ["async fn self::outer", "async fn self::middle", "async fn self::initial"]);
    }
}

mod listener {
    use super::CHAIN;
    use crate::harness::{at, waits};
    use event_listener::Event;

    async fn outer() {
        at!(middle()).await;
    }

    async fn middle() {
        at!(leaf(&Event::new())).await;
    }

    async fn leaf(event: &Event) {
        at!(event.listen()).await;
    }

    #[test]
    fn waits() {
        waits!(outer(), CHAIN);
    }
}

mod async_lock {
    use super::CHAIN;
    use crate::harness::{at, waits};
    use futures::lock::Mutex;

    async fn outer() {
        at!(middle(Mutex::new(1))).await;
    }

    async fn middle(mutex: Mutex<u32>) {
        let _held = mutex.lock().await;
        at!(leaf(&mutex)).await;
    }

    async fn leaf(mutex: &Mutex<u32>) {
        *at!(mutex.lock()).await += 1;
    }

    #[test]
    fn waits() {
        waits!(outer(), CHAIN);
    }
}
