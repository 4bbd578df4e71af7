//! When no hook is at work any more with what was there before.

use std::time::Duration;

/// After this no hook is still at work with the slot that was active two flips ago.
pub(crate) fn wait_for_hooks() {
    const MEMBARRIER_CMD_GLOBAL: libc::c_int = 1;
    // SAFETY: membarrier takes integers only and touches no memory of ours. It waits for an RCU grace period, as
    // every hook runs inside an RCU read-side section.
    let result = unsafe { libc::syscall(libc::SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) };
    if result != 0 {
        std::thread::sleep(Duration::from_millis(100));
    }
}
