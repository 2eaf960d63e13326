//! The steps of [`super::lanes`] compiled three times: for AVX-512, for AVX2 with fused multiply-adds, and for any machine.
//! The one file here with `unsafe`, and all that needs it is to call what was compiled for instructions that the build does
//! not assume, after the machine was asked for them. The code is one and safe, and so are its bits: a fused multiply-add
//! rounds once, whether an instruction does it or, slowly, a library.
#![allow(unsafe_code)] // Calls of functions with target features.

use super::lanes::{Fill, Plane, Program};
use crate::trees::Vectors;

/// Outputs that are summed at a time, and so the group that weights are packed for.
pub(super) const GROUP: usize = 4;

/// The best instructions that this machine has for it.
pub(super) fn best() -> Vectors {
    if has_fused() { Vectors::best() } else { Vectors::None }
}

/// Runs at most a block of rows by these instructions, or by none where the machine has them not.
pub(super) fn run(vectors: Vectors, program: &Program, rows: impl Fill, planes: &mut [Plane]) {
    #[cfg(target_arch = "x86_64")]
    match vectors {
        // SAFETY: the instructions are there, and that is all it needs.
        Vectors::Avx512 if has_fused() && vectors.are_here() => return unsafe { avx512(program, rows, planes) },
        // SAFETY: as above.
        Vectors::Avx2 if has_fused() && vectors.are_here() => return unsafe { avx2(program, rows, planes) },
        Vectors::Avx512 | Vectors::Avx2 | Vectors::None => {}
    }
    program.run::<4, 2, GROUP>(rows, planes);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,fma")]
fn avx512(program: &Program, rows: impl Fill, planes: &mut [Plane]) {
    program.run::<16, 4, GROUP>(rows, planes);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2(program: &Program, rows: impl Fill, planes: &mut [Plane]) {
    program.run::<8, 2, GROUP>(rows, planes);
}

fn has_fused() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        is_x86_feature_detected!("fma")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}
