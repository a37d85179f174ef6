internal import Glibc

/// A value behind a lock.
///
/// Like `Synchronization.Mutex`, over a POSIX mutex: ThreadSanitizer knows these, and reports every contended use of
/// `Mutex` on Linux as a race (Swift 6.3), since that sleeps in a system call that it does not see.
package final class Locked<Value>: @unchecked Sendable {
    // Sendable by `mutex`: `value` is touched only while it is held.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private var value: Value

    package init(_ value: sending Value) {
        self.value = value
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        let status = pthread_mutex_init(mutex, nil)
        precondition(status == 0, "a mutex cannot be made")
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    /// Runs `body` with the value to itself; `body` must neither wait nor come back to this lock.
    package func withLock<Result, Failure: Error>(
        _ body: (inout Value) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&value)
    }
}
