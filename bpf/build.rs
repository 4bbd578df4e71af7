//! Compiles `kern/*.bpf.c` and generates a skeleton for each.

use std::path::PathBuf;

use libbpf_cargo::SkeletonBuilder;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // `scripts/test --mutants` compiles out one guard of kern/guard.h.
    let mutant = std::env::var("BARTIZAN_MUTANT").ok().map(|name| format!("-DBZ_MUTANT=\"{name}\""));
    // `vmtests/other-build.sh` makes what an upgrade meets.
    let other = std::env::var_os("BARTIZAN_OTHER_BUILD").map(|_| "-DBZ_OTHER_BUILD");
    println!("cargo:rerun-if-env-changed=BARTIZAN_MUTANT");
    println!("cargo:rerun-if-env-changed=BARTIZAN_OTHER_BUILD");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    for name in ["bartizan", "decide_test"] {
        SkeletonBuilder::new()
            .source(format!("kern/{name}.bpf.c"))
            // src/load.rs includes the object itself: its programs outlive any skeleton.
            .obj(out.join(format!("{name}.bpf.o")))
            // clang 14 truncates 64-bit enums; 19 is what scripts/prepare installs.
            .clang("clang-19")
            // asm/types.h lies in the multi-arch directory, which clang does not search for the BPF target.
            .clang_args(
                ["-Wall", "-Werror", "-mcpu=v3", "-I/usr/include/x86_64-linux-gnu"]
                    .into_iter()
                    .chain(mutant.as_deref())
                    .chain(other),
            )
            .build_and_generate(out.join(format!("{name}.skel.rs")))?;
    }
    println!("cargo:rerun-if-changed=kern");
    Ok(())
}
