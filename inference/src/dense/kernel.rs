//! The steps of [`super::lanes`] compiled three times: for AVX-512, for AVX2 with fused multiply-adds, and for any machine.
//! Layers are written out in vectors here, because a compiler may lay its own across the outputs instead of along the rows;
//! all else is the code of `lanes`, which it turns into vectors well.
//!
//! Why it is sound: what needs `unsafe` is to load and store whole chunks of a column, which the types say are there, and to
//! call what was compiled for instructions that the build does not assume, after the machine was asked for them. Bits are
//! those of the plain path: a lane is a row, a fused multiply-add rounds once, whether an instruction does it or, slowly, a
//! library, and each output's are in the same order.
#![allow(unsafe_code)] // Loads and stores of vectors, and calls of functions with target features.
#![allow(clippy::needless_range_loop)] // Registers are counted: there is nothing to iterate over.

use super::lanes::{Column, Fill};
use super::program::Program;
use crate::trees::Vectors;

/// Outputs that are summed at a time, and so the group that weights are packed for.
pub(super) const GROUP: usize = 4;

/// The best instructions that this machine has for it.
pub(super) fn best() -> Vectors {
    if has_fused() { Vectors::best() } else { Vectors::None }
}

/// Runs at most a block of rows by these instructions, or by none where the machine has them not.
pub(super) fn run(vectors: Vectors, program: &Program, rows: impl Fill, columns: &mut [Column]) {
    #[cfg(target_arch = "x86_64")]
    match vectors {
        // SAFETY: the instructions are there, and that is all it needs.
        Vectors::Avx512 if has_fused() && vectors.are_here() => return unsafe { wide::avx512(program, rows, columns) },
        // SAFETY: as above.
        Vectors::Avx2 if has_fused() && vectors.are_here() => return unsafe { wide::avx2(program, rows, columns) },
        Vectors::Avx512 | Vectors::Avx2 | Vectors::None => {}
    }
    program.run(rows, columns, |layer, filled, columns| layer.run_plain::<GROUP>(filled, columns));
}

/// Runs one row by these instructions, or by none where the machine has them not.
pub(super) fn run_one(vectors: Vectors, program: &Program, row: &[f32], cells: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    match vectors {
        // SAFETY: the instructions are there, and that is all it needs.
        Vectors::Avx512 if has_fused() && vectors.are_here() => {
            return unsafe { wide::avx512_one(program, row, cells) };
        }
        // SAFETY: as above.
        Vectors::Avx2 if has_fused() && vectors.are_here() => return unsafe { wide::avx2_one(program, row, cells) },
        Vectors::Avx512 | Vectors::Avx2 | Vectors::None => {}
    }
    program.run_one(row, cells);
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

#[cfg(target_arch = "x86_64")]
mod wide {
    use super::super::lanes::{BLOCK, Column, Fill};
    use super::super::program::{Layer, Program};
    use super::GROUP;
    use std::arch::x86_64::*;

    macro_rules! kernel {
        (
            $features:literal, $lanes:literal, $vectors:literal, $run:ident, $run_one:ident, $layer:ident, $sums:ident,
            $zero:ident, $load:ident, $store:ident, $set:ident, $fused:ident, $add:ident, $max:ident
        ) => {
            #[target_feature(enable = $features)]
            pub(super) fn $run(program: &Program, rows: impl Fill, columns: &mut [Column]) {
                program.run(rows, columns, |layer, filled, columns| $layer(layer, filled, columns));
            }

            #[target_feature(enable = $features)]
            pub(super) fn $run_one(program: &Program, row: &[f32], cells: &mut [f32]) {
                program.run_one(row, cells);
            }

            #[target_feature(enable = $features)]
            fn $layer(layer: &Layer, filled: usize, columns: &mut [Column]) {
                let (groups, rest) = layer.split::<GROUP>(columns);
                let chunks = filled / $lanes;
                for (weights, bias, from, to) in groups {
                    let mut at = 0;
                    while at + $vectors <= chunks {
                        $sums::<$vectors, GROUP>(weights, bias, layer.relu, from, to, at);
                        at += $vectors;
                    }
                    while at < chunks {
                        $sums::<1, GROUP>(weights, bias, layer.relu, from, to, at);
                        at += 1;
                    }
                }
                for (weights, bias, from, to) in rest {
                    for at in 0..chunks {
                        $sums::<1, 1>(weights, bias, layer.relu, from, to, at);
                    }
                }
            }

            /// `O` outputs of `V` chunks of rows from this chunk on, all kept in registers.
            #[target_feature(enable = $features)]
            #[inline]
            fn $sums<const V: usize, const O: usize>(
                weights: &[[f32; O]],
                bias: &[f32; O],
                relu: bool,
                from: &[Column],
                to: &mut [Column; O],
                at: usize,
            ) {
                assert!(at + V <= BLOCK / $lanes, "chunks are of a block");
                let mut sums = [[$zero(); V]; O];
                for (weights, column) in weights.iter().zip(from) {
                    let chunks = column.0.as_chunks::<$lanes>().0;
                    for v in 0..V {
                        // SAFETY: a chunk is a vector's lanes.
                        let rows = unsafe { $load(chunks[at + v].as_ptr()) };
                        for o in 0..O {
                            sums[o][v] = $fused(rows, $set(weights[o]), sums[o][v]);
                        }
                    }
                }
                for o in 0..O {
                    let chunks = to[o].0.as_chunks_mut::<$lanes>().0;
                    for v in 0..V {
                        let sum = $add(sums[o][v], $set(bias[o]));
                        // The second of the two where neither is greater or one is no number.
                        let sum = if relu { $max($zero(), sum) } else { sum };
                        // SAFETY: as above.
                        unsafe { $store(chunks[at + v].as_mut_ptr(), sum) };
                    }
                }
            }
        };
    }
    kernel!(
        "avx512f,avx512bw,avx512vl,fma",
        16,
        4,
        avx512,
        avx512_one,
        layer_512,
        sums_512,
        _mm512_setzero_ps,
        _mm512_loadu_ps,
        _mm512_storeu_ps,
        _mm512_set1_ps,
        _mm512_fmadd_ps,
        _mm512_add_ps,
        _mm512_max_ps
    );
    kernel!(
        "avx2,fma",
        8,
        2,
        avx2,
        avx2_one,
        layer_256,
        sums_256,
        _mm256_setzero_ps,
        _mm256_loadu_ps,
        _mm256_storeu_ps,
        _mm256_set1_ps,
        _mm256_fmadd_ps,
        _mm256_add_ps,
        _mm256_max_ps
    );
}
