internal import DubCore

/// Lets one node of a key run at a time in this process, so that a line said twice is voiced once.
final class KeyGate: Sendable {
    private let waiting = Locked<[Digest: [CheckedContinuation<Void, Never>]]>([:])

    /// Takes the key where nobody has it.
    ///
    /// - Returns: whether it is the caller's now, who has to `leave`.
    func enter(_ key: Digest) -> Bool {
        waiting.withLock { waiting in
            guard waiting[key] == nil else { return false }
            waiting[key] = []
            return true
        }
    }

    /// Gives the key back and wakes all who wait for that.
    func leave(_ key: Digest) {
        let woken = waiting.withLock { $0.removeValue(forKey: key) } ?? []
        for one in woken { one.resume() }
    }

    /// Returns when nobody has the key. Not cancellable: who has it leaves promptly when the run is cancelled.
    func left(_ key: Digest) async {
        await withCheckedContinuation { turn in
            let isFree = waiting.withLock { waiting in
                guard waiting[key] != nil else { return true }
                waiting[key]?.append(turn)
                return false
            }
            if isFree { turn.resume() }
        }
    }
}
