//! Code that this processor executes with given registers.
//!
//! # Safety
//!
//! The code that runs comes from the tests alone: single instructions and short sequences of them, followed by `ret`. They write
//! nothing but registers, the data pages of [`Arena`], and the stack below their stack pointer.

use std::arch::global_asm;
use std::ptr::NonNull;

use super::operands::Random;

/// Registers before or after: `rsp` is ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Registers {
    pub(crate) gpr: [u64; 16],
    pub(crate) flags: u64,
    pub(crate) ymm: [[u64; 4]; 16],
}

impl Registers {
    /// Random registers.
    pub(crate) fn random(random: &mut Random) -> Self {
        const ARITHMETIC: u64 = 0x8d5;
        let mut registers = Self { flags: random.word() & ARITHMETIC | 0x202, ..Self::default() };
        for register in &mut registers.gpr {
            *register = random.integer();
        }
        // A vector is of one kind often, so that lanes of one width are special together.
        for register in &mut registers.ymm {
            let kind = random.below(3);
            for word in register {
                *word = match kind {
                    0 => u64::from(random.single()) << 32 | u64::from(random.single()),
                    1 => random.double(),
                    _ => random.vector_word(),
                };
            }
        }
        registers
    }
}

// `bw_run_native(registers: rdi, code: rsi)`: loads the registers, calls the code, stores the registers.
global_asm!(
    ".globl bw_run_native",
    "bw_run_native:",
    "push rbx; push rbp; push r12; push r13; push r14; push r15",
    "push rdi",
    "push rsi",
    ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
    "vmovdqu ymm\\n, [rdi + 136 + 32*\\n]",
    ".endr",
    "push qword ptr [rdi + 128]",
    "popfq",
    "mov rax, [rdi]",
    "mov rcx, [rdi + 8]",
    "mov rdx, [rdi + 16]",
    "mov rbx, [rdi + 24]",
    "mov rbp, [rdi + 40]",
    "mov rsi, [rdi + 48]",
    "mov r8, [rdi + 64]",
    "mov r9, [rdi + 72]",
    "mov r10, [rdi + 80]",
    "mov r11, [rdi + 88]",
    "mov r12, [rdi + 96]",
    "mov r13, [rdi + 104]",
    "mov r14, [rdi + 112]",
    "mov r15, [rdi + 120]",
    "mov rdi, [rdi + 56]",
    "call [rsp]",
    "push rdi",
    "mov rdi, [rsp + 16]",
    "mov [rdi], rax",
    "mov [rdi + 8], rcx",
    "mov [rdi + 16], rdx",
    "mov [rdi + 24], rbx",
    "mov [rdi + 40], rbp",
    "mov [rdi + 48], rsi",
    "mov [rdi + 64], r8",
    "mov [rdi + 72], r9",
    "mov [rdi + 80], r10",
    "mov [rdi + 88], r11",
    "mov [rdi + 96], r12",
    "mov [rdi + 104], r13",
    "mov [rdi + 112], r14",
    "mov [rdi + 120], r15",
    "pop rax",
    "mov [rdi + 56], rax",
    "pushfq",
    "pop rax",
    "mov [rdi + 128], rax",
    "cld",
    ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
    "vmovdqu [rdi + 136 + 32*\\n], ymm\\n",
    ".endr",
    "vzeroupper",
    "pop rsi",
    "pop rdi",
    "pop r15; pop r14; pop r13; pop r12; pop rbp; pop rbx",
    "ret",
);

unsafe extern "sysv64" {
    fn bw_run_native(registers: *mut Registers, code: *const u8);
}

/// How many bytes of data there are.
pub(crate) const DATA: usize = 4096;

/// Pages with code, executable and no more written, and pages with data.
#[derive(Debug)]
pub(crate) struct Arena {
    code: NonNull<u8>,
    code_len: usize,
    data: NonNull<u8>,
}

impl Arena {
    /// Maps the code, and data that is zero.
    pub(crate) fn new(code: &[u8]) -> Self {
        assert!(std::arch::is_x86_feature_detected!("avx2"), "these tests need a processor with AVX2");
        let code_len = code.len().next_multiple_of(4096).max(4096);
        let pages = map(code_len);
        // SAFETY: `pages` are as many writable bytes and new, so they do not overlap `code`.
        unsafe { std::ptr::copy_nonoverlapping(code.as_ptr(), pages.as_ptr(), code.len()) };
        // SAFETY: `pages` is a mapping of this length, to which there is no reference.
        let protected =
            unsafe { libc::mprotect(pages.as_ptr().cast(), code_len, libc::PROT_READ | libc::PROT_EXEC) };
        assert_eq!(protected, 0, "cannot make code executable: {}", std::io::Error::last_os_error());
        Self { code: pages, code_len, data: map(DATA) }
    }

    /// The address of the code.
    pub(crate) fn code_address(&self) -> u64 {
        self.code.as_ptr() as u64
    }

    /// The code, to the end of its last page.
    pub(crate) fn code(&self) -> &[u8] {
        // SAFETY: a readable mapping of this length that nobody writes, for as long as `self`.
        unsafe { std::slice::from_raw_parts(self.code.as_ptr(), self.code_len) }
    }

    /// The address of the data.
    pub(crate) fn data_address(&self) -> u64 {
        self.data.as_ptr() as u64
    }

    /// The data.
    pub(crate) fn data(&mut self) -> &mut [u8] {
        // SAFETY: a writable mapping of this length; `&mut self` excludes other references and running code.
        unsafe { std::slice::from_raw_parts_mut(self.data.as_ptr(), DATA) }
    }

    /// Executes the code at `offset` with these registers, until its `ret`.
    pub(crate) fn run(&mut self, offset: usize, registers: &mut Registers) {
        assert!(offset < self.code_len);
        // SAFETY: within the mapping, by the assertion.
        let code = unsafe { self.code.as_ptr().add(offset) };
        // SAFETY: the routine keeps the calling convention whatever the code does to registers it does not own, the code is
        // executable and harmless (see the top of this file), and `&mut self` gives it the data.
        unsafe { bw_run_native(registers, code) };
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        for (address, len) in [(self.code, self.code_len), (self.data, DATA)] {
            // SAFETY: a mapping of this length, which is not used after `self`.
            unsafe { libc::munmap(address.as_ptr().cast(), len) };
        }
    }
}

/// New memory that is zero, readable and writable.
fn map(len: usize) -> NonNull<u8> {
    let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: a new mapping at an address that the system chooses changes nothing that exists.
    let address = unsafe { libc::mmap(std::ptr::null_mut(), len, protection, flags, -1, 0) };
    assert_ne!(address, libc::MAP_FAILED, "cannot map memory: {}", std::io::Error::last_os_error());
    NonNull::new(address.cast()).expect("mmap gave no address")
}
