/// Wakes one who waits: at once where it was rung already, else when it is rung or the time is up.
actor Bell {
    private var isRung = false
    private var waiter: CheckedContinuation<Void, Never>?

    /// Rings.
    func ring() {
        guard let waiter else {
            isRung = true
            return
        }
        self.waiter = nil
        waiter.resume()
    }

    /// Waits; a cancelled task waits no more.
    func wait(atMost limit: Duration) async {
        guard !isRung, !Task.isCancelled else {
            isRung = false
            return
        }
        // Unstructured: it ends with the wait, and nobody waits for it.
        let timer = Task {
            do { try await Task.sleep(for: limit) } catch { return }
            ring()
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { waiter = $0 }
        } onCancel: {
            // onCancel is synchronous. It cannot outrun the continuation: we hold the actor.
            Task { await self.ring() }
        }
        timer.cancel()
    }
}
