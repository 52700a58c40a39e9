//! Ordinary functions, whose results depend on their argument alone.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt::Write as _;
use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

pub(crate) type Function = extern "C" fn(u64) -> u64;

pub(crate) const FUNCTIONS: &[(&str, Function)] = &[
    ("hash_map", hash_map),
    ("btree_map", btree_map),
    ("sort", sort),
    ("text", text),
    ("floats", floats),
    ("math", math),
    ("wide_numbers", wide_numbers),
    ("locks", locks),
    ("futures", futures),
    ("unwinding", unwinding),
    ("characters", characters),
    ("memory_functions", memory_functions),
    ("sums", sums),
];

/// Numbers that look random.
fn numbers(seed: u64) -> impl Iterator<Item = u64> {
    std::iter::successors(Some(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1), |last| {
        let mut next = *last;
        next ^= next << 13;
        next ^= next >> 7;
        next ^= next << 17;
        Some(next)
    })
}

/// A hash of bytes.
fn digest(bytes: impl AsRef<[u8]>) -> u64 {
    bytes
        .as_ref()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

extern "C" fn hash_map(n: u64) -> u64 {
    let mut map = HashMap::new();
    for number in numbers(n).take(n as usize * 20) {
        *map.entry(number % 64).or_insert_with(|| vec![number]).first_mut().expect("it has one") += 1;
        map.remove(&(number % 7));
    }
    let strings: HashMap<String, u64> = map.iter().map(|(key, value)| (key.to_string(), value[0])).collect();
    strings.iter().map(|(key, value)| digest(key) ^ value).fold(map.len() as u64, u64::wrapping_add)
}

extern "C" fn btree_map(n: u64) -> u64 {
    let map: BTreeMap<u64, String> =
        numbers(n).take(n as usize * 10).map(|number| (number % 1000, format!("{number:x}"))).collect();
    map.range(100..800).fold(0, |sum: u64, (key, value)| sum.wrapping_mul(31) + key + value.len() as u64)
}

extern "C" fn sort(n: u64) -> u64 {
    let mut list: Vec<u64> = numbers(n).take(n as usize * 15).collect();
    list.sort_unstable();
    let mut pairs: Vec<(u8, u64)> = list.iter().map(|number| (*number as u8, *number)).collect();
    pairs.sort_by_key(|pair| std::cmp::Reverse(pair.0));
    let mut words: Vec<String> =
        pairs.iter().map(|(byte, number)| format!("{byte}:{}", number % 100)).collect();
    words.sort();
    words.dedup();
    digest(words.concat()) ^ pairs.iter().fold(0, |sum: u64, pair| sum.wrapping_mul(3).wrapping_add(pair.1))
}

extern "C" fn text(n: u64) -> u64 {
    let mut text = String::new();
    for number in numbers(n).take(n as usize) {
        let _ = write!(text, "{number:>30} {:?} {:#x} {:e} ", number as i32, number, number as f64);
    }
    let parsed: u64 =
        text.split_whitespace().filter_map(|word| word.parse::<u64>().ok()).fold(0, u64::wrapping_add);
    let upper = text.to_uppercase().replace('E', "<>");
    digest(upper) ^ parsed ^ text.find("99").unwrap_or(0) as u64
}

extern "C" fn floats(n: u64) -> u64 {
    let list: Vec<f64> = numbers(n)
        .take(n as usize * 9)
        .map(|number| f64::from_bits(number >> 2) * 1e-9 + number as i32 as f64)
        .collect();
    let sum: f64 = list.iter().filter(|number| number.is_finite()).map(|number| number.abs().sqrt()).sum();
    let singles: Vec<f32> = list.iter().map(|number| *number as f32 / 3.0).collect();
    let rounded: i64 =
        singles.iter().map(|number| number.round() as i64 % 1000 + i64::from(*number as u8)).sum();
    let parsed: f64 = format!("{sum:.6}").parse().unwrap_or(0.0);
    parsed.to_bits() ^ rounded as u64 ^ digest(format!("{:?}", &list[..list.len().min(20)]))
}

extern "C" fn math(n: u64) -> u64 {
    let x = black_box(n as f64 / 7.0);
    let results = [
        x.sin(),
        x.cos(),
        x.exp(),
        x.ln(),
        x.powf(1.7),
        x.tan(),
        x.atan2(2.0),
        x.hypot(3.0),
        x.cbrt(),
        (x as f32).exp2().into(),
    ];
    results.iter().fold(0, |sum, result| sum ^ result.to_bits().rotate_left(sum as u32 % 64))
}

extern "C" fn wide_numbers(n: u64) -> u64 {
    let mut sum = 1_u128;
    for number in numbers(n).take(n as usize * 5) {
        sum = sum.wrapping_mul(u128::from(number) << 31).wrapping_add(7);
        sum ^= (sum / u128::from(number % 1000 + 1)).wrapping_add(sum % u128::from(number));
        sum = sum.rotate_left(number as u32 % 128).swap_bytes()
            ^ u128::from(sum.leading_zeros() + sum.count_ones());
    }
    (sum >> 64) as u64 ^ sum as u64 ^ (n as i128 * -77 / 5) as u64
}

extern "C" fn locks(n: u64) -> u64 {
    let shared = Arc::new((Mutex::new(VecDeque::new()), AtomicU64::new(n)));
    for number in numbers(n).take(n as usize * 4) {
        let other = Arc::clone(&shared);
        let mut queue = other.0.lock().expect("not poisoned");
        queue.push_back(number);
        if queue.len() > 10 {
            other.1.fetch_xor(queue.pop_front().unwrap_or(0), Ordering::AcqRel);
            other.1.fetch_max(number % 100, Ordering::Relaxed);
            let _ = other.1.compare_exchange(number % 100, 5, Ordering::AcqRel, Ordering::Relaxed);
            other.1.fetch_or(1 << (number % 64), Ordering::SeqCst);
        }
    }
    let queue = shared.0.lock().expect("not poisoned");
    queue.iter().fold(shared.1.load(Ordering::Acquire), |sum, number| sum.rotate_left(5) ^ number)
}

/// Ready at the second poll.
async fn once(number: u64) -> u64 {
    let mut asked = false;
    std::future::poll_fn(move |context| {
        context.waker().wake_by_ref();
        if std::mem::replace(&mut asked, true) { Poll::Ready(number) } else { Poll::Pending }
    })
    .await
}

async fn tree(depth: u64) -> u64 {
    let mut sum = 0;
    for n in 0..depth.min(4) {
        let child: std::pin::Pin<Box<dyn Future<Output = u64>>> = Box::pin(tree(depth.min(4) - n - 1));
        sum += child.await * 3 + once(n).await;
    }
    sum + 1
}

extern "C" fn futures(n: u64) -> u64 {
    let mut future = pin!(async { tree(n).await + once(n).await });
    let mut context = Context::from_waker(Waker::noop());
    (1..)
        .find_map(|polls| match future.as_mut().poll(&mut context) {
            Poll::Ready(sum) => Some(sum * 1000 + polls),
            Poll::Pending => None,
        })
        .unwrap_or(0)
}

extern "C" fn unwinding(n: u64) -> u64 {
    struct Adds<'a>(&'a AtomicU64);
    impl Drop for Adds<'_> {
        fn drop(&mut self) {
            self.0.fetch_add(5, Ordering::Relaxed);
        }
    }
    #[inline(never)]
    fn deep(depth: u64, count: &AtomicU64) -> u64 {
        let _adds = Adds(count);
        if depth == 0 {
            std::panic::resume_unwind(Box::new(7_u64));
        }
        deep(depth - 1, count) + black_box(1)
    }
    let count = AtomicU64::new(0);
    let thrown = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| deep(n % 8, &count)));
    let payload = thrown.err().and_then(|payload| payload.downcast::<u64>().ok()).map_or(0, |number| *number);
    count.load(Ordering::Relaxed) * 100 + payload
}

extern "C" fn characters(n: u64) -> u64 {
    let text: String =
        numbers(n).take(n as usize * 8).filter_map(|number| char::from_u32(number as u32 % 0x3000)).collect();
    let again = String::from_utf8_lossy(text.as_bytes());
    let counted = again.chars().filter(|c| c.is_alphanumeric()).count() as u64;
    let lower = again.to_lowercase();
    digest(lower.as_bytes())
        ^ counted
        ^ lower
            .char_indices()
            .rev()
            .step_by(3)
            .fold(0, |sum: u64, (at, c)| sum.wrapping_mul(7).wrapping_add(at as u64 + c as u64))
}

/// `memcpy`, `memmove`, `memset`, `memcmp`, `memchr` and `strlen` of `n` bytes at several alignments.
pub(crate) extern "C" fn memory_functions(n: u64) -> u64 {
    let n = n as usize;
    let mut hash = 0;
    for offset in [0, 1, 17, 32, 63] {
        let mut source: Vec<u8> =
            numbers(n as u64 + 1).take(n + 200).map(|number| number as u8 | 1).collect();
        let mut copy = vec![0; n + 200];
        copy[offset..offset + n].copy_from_slice(&source[64..64 + n]);
        hash ^= digest(&copy);
        // SAFETY: both ranges are within the vector.
        unsafe {
            libc::memmove(
                source.as_mut_ptr().wrapping_add(offset).cast(),
                source.as_ptr().wrapping_add(40).cast(),
                black_box(n),
            )
        };
        source[offset + n..offset + n + 50].fill(black_box(n as u8 | 1));
        source[offset + n + 50] = 0;
        // SAFETY: the string within the vector ends with a zero.
        let len = unsafe { libc::strlen(source.as_ptr().wrapping_add(offset).cast()) } as u64;
        // SAFETY: both ranges are within their vectors.
        let order = unsafe {
            libc::memcmp(
                source.as_ptr().wrapping_add(offset).cast(),
                copy.as_ptr().wrapping_add(offset).cast(),
                black_box(n),
            )
        };
        // SAFETY: the range is within the vector.
        let found = unsafe { libc::memchr(copy.as_ptr().cast(), 77, copy.len()) } as u64;
        let place = if found == 0 { 0 } else { found - copy.as_ptr() as u64 };
        hash = hash.rotate_left(9) ^ digest(&source) ^ len ^ place << 32 ^ (order.signum() as u64) << 3;
    }
    hash
}

/// A loop that compilers turn into vector instructions.
extern "C" fn sums(n: u64) -> u64 {
    let list: Vec<u32> = numbers(n).take(n as usize * 40).map(|number| number as u32).collect();
    let squares: u32 = list.iter().map(|number| number.wrapping_mul(*number)).fold(0, u32::wrapping_add);
    let greatest = list.iter().copied().max().unwrap_or(0);
    let bytes: Vec<u8> = list.iter().map(|number| (*number >> 8) as u8).collect();
    let total: u64 = bytes.iter().map(|byte| u64::from(*byte)).sum();
    let zeros = bytes.iter().filter(|byte| **byte == 0).count() as u64;
    u64::from(squares) ^ u64::from(greatest) << 20 ^ total << 3 ^ zeros
}
