//! Vectors as rows of numbers.

/// The content of a vector register, lowest word first.
pub(super) type Vector = [u64; 4];
/// Half of a vector: most operations of AVX2 stay within it.
pub(super) type Half = [u8; 16];

/// A number in a vector.
pub(super) trait Lane: Copy {
    const BYTES: usize;

    /// From exactly as many bytes, little-endian.
    fn from_bytes(bytes: &[u8]) -> Self;

    fn put(self, bytes: &mut [u8]);
}

macro_rules! lanes {
    ($($number:ty)*) => {$(
        impl Lane for $number {
            const BYTES: usize = size_of::<Self>();

            #[inline]
            fn from_bytes(bytes: &[u8]) -> Self {
                let mut own = [0; size_of::<Self>()];
                own.copy_from_slice(bytes);
                Self::from_le_bytes(own)
            }

            #[inline]
            fn put(self, bytes: &mut [u8]) {
                bytes.copy_from_slice(&self.to_le_bytes());
            }
        }
    )*};
}

lanes!(u8 i8 u16 i16 u32 i32 u64 i64 f32 f64);

#[inline]
pub(super) fn to_bytes(vector: Vector) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (part, word) in bytes.chunks_exact_mut(8).zip(vector) {
        part.copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

#[inline]
pub(super) fn from_bytes(bytes: [u8; 32]) -> Vector {
    let mut vector = [0; 4];
    for (word, part) in vector.iter_mut().zip(bytes.chunks_exact(8)) {
        *word = u64::from_bytes(part);
    }
    vector
}

/// Number `n` of a vector.
#[inline]
pub(super) fn lane<T: Lane>(vector: Vector, n: usize) -> T {
    T::from_bytes(&to_bytes(vector)[n * T::BYTES..(n + 1) * T::BYTES])
}

/// Replaces number `n` of a vector.
#[inline]
pub(super) fn with_lane<T: Lane>(vector: Vector, n: usize, value: T) -> Vector {
    let mut bytes = to_bytes(vector);
    value.put(&mut bytes[n * T::BYTES..(n + 1) * T::BYTES]);
    from_bytes(bytes)
}

/// Applies an operation to each number.
#[inline]
pub(super) fn map<T: Lane>(a: Vector, operation: impl Fn(T) -> T) -> Vector {
    let mut bytes = to_bytes(a);
    for part in bytes.chunks_exact_mut(T::BYTES) {
        operation(T::from_bytes(part)).put(part);
    }
    from_bytes(bytes)
}

/// Applies an operation to each pair of numbers at one place.
#[inline]
pub(super) fn zip<T: Lane>(a: Vector, b: Vector, operation: impl Fn(T, T) -> T) -> Vector {
    let mut result = to_bytes(a);
    for (part, b) in result.chunks_exact_mut(T::BYTES).zip(to_bytes(b).chunks_exact(T::BYTES)) {
        operation(T::from_bytes(part), T::from_bytes(b)).put(part);
    }
    from_bytes(result)
}

/// Applies an operation to each half of two vectors.
#[inline]
pub(super) fn halves(a: Vector, b: Vector, operation: impl Fn(&Half, &Half) -> Half) -> Vector {
    let mut result = [0; 32];
    let (a, b) = (to_bytes(a), to_bytes(b));
    for ((into, a), b) in result.chunks_exact_mut(16).zip(a.as_chunks().0).zip(b.as_chunks().0) {
        into.copy_from_slice(&operation(a, b));
    }
    from_bytes(result)
}

/// Number `n` of a half.
#[inline]
pub(super) fn of_half<T: Lane>(half: &Half, n: usize) -> T {
    T::from_bytes(&half[n * T::BYTES..(n + 1) * T::BYTES])
}

/// A half whose number `n` is what `number(n)` says.
#[inline]
pub(super) fn half<T: Lane>(number: impl Fn(usize) -> T) -> Half {
    let mut bytes = [0; 16];
    for (n, part) in bytes.chunks_exact_mut(T::BYTES).enumerate() {
        number(n).put(part);
    }
    bytes
}

/// A vector whose number `n` is what `number(n)` says.
#[inline]
pub(super) fn collect<T: Lane>(number: impl Fn(usize) -> T) -> Vector {
    let mut bytes = [0; 32];
    for (n, part) in bytes.chunks_exact_mut(T::BYTES).enumerate() {
        number(n).put(part);
    }
    from_bytes(bytes)
}
