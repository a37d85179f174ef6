internal import DubCore
internal import DubHTTP
internal import DubLedger
internal import DubObjects
internal import DubPublish
internal import DubRunner
internal import DubStorage
internal import DubWatch
internal import Foundation

/// Keeps a watched prefix of a bucket: looks what has arrived, and has it run.
///
/// An object is whole as soon as it is listed, so there is nothing to wait for; and it stays where it is. Each content
/// is done once for what is asked of it: the ledger knows, as for files in folders.
actor PrefixKeeper {
    private let watched: WatchedFolder
    private let means: FolderKeeper.Means
    private let store: ObjectStore
    private let place: (bucket: String, prefix: String)
    private let bell = Bell()
    private var inHand: Set<String> = []
    /// Objects that need no more doing, by key: the store's mark of them.
    private var dealt: [String: String] = [:]
    private var held: [String: (until: Date, tries: Int)] = [:]
    private var lastTrouble = ""

    /// - Throws: `object.address`.
    init(_ watched: WatchedFolder, means: FolderKeeper.Means) throws {
        self.watched = watched
        self.means = means
        let address = try DestinationAddress(watched.folder)
        place = (address.bucket ?? "", address.prefix)
        let client = HTTPClient()
        store = ObjectStore(try StoreSettings(), credentials: CredentialSource(client: client), client: client)
    }

    /// Looks again and again until the task is cancelled.
    func run() async {
        while !Task.isCancelled {
            await look()
            let soonest =
                held.filter { !inHand.contains($0.key) }.values.map { $0.until.timeIntervalSinceNow }
                .filter { $0 > 0 }.min() ?? .infinity
            let pause = max(0.1, min(watched.rescan ?? 60, soonest))
            await bell.wait(atMost: .milliseconds(Int64(pause * 1000)))
        }
    }

    private func look() async {
        do {
            let now = Date()
            var seen: Set<String> = []
            var stems: [String: Int] = [:]
            var arrived: [ObjectStore.Entry] = []
            for try await entry in store.list(bucket: place.bucket, prefix: place.prefix) {
                seen.insert(entry.key)
                guard entry.size > 0, watched.wants(path(of: entry)) else { continue }
                stems[(entry.key as NSString).deletingPathExtension, default: 0] += 1
                if !inHand.contains(entry.key), dealt[entry.key] != entry.tag,
                    held[entry.key].map({ $0.until <= now }) ?? true
                {
                    arrived.append(entry)
                }
            }
            for entry in arrived {
                inHand.insert(entry.key)
                if held[entry.key] == nil {
                    means.log.note("file.arrived", ["folder": watched.folder, "item.path": address(entry.key)])
                }
                let order = watched.order(for: path(of: entry))
                // As in a folder that is watched, `x.mp4` and `x.mov` stay apart.
                let name = (entry.key as NSString).lastPathComponent
                let stem = (name as NSString).deletingPathExtension
                let isAlone = stems[(entry.key as NSString).deletingPathExtension] == 1
                let isTaken = await means.queue.add(priority: order.priority ?? 0) {
                    await self.process(entry, order, stem: isAlone ? stem : name)
                }
                if !isTaken { inHand.remove(entry.key) }
            }
            // What is gone from the bucket is not waited for.
            held = held.filter { seen.contains($0.key) || inHand.contains($0.key) }
            dealt = dealt.filter { seen.contains($0.key) || inHand.contains($0.key) }
            lastTrouble = ""
        } catch {
            if lastTrouble != "\(error)" { means.log.fail("folder.unreadable", error, ["folder": watched.folder]) }
            lastTrouble = "\(error)"
        }
    }

    private func path(of entry: ObjectStore.Entry) -> String { String(entry.key.dropFirst(place.prefix.count)) }

    private func address(_ key: String) -> String { "\(ObjectName(bucket: place.bucket, key: key))" }

    private func process(_ entry: ObjectStore.Entry, _ order: FileOrder, stem: String) async {
        do {
            try await handle(entry, order, stem: stem)
            dealt[entry.key] = entry.tag
            held[entry.key] = nil
        } catch is CancellationError {
            // Somebody will take it up where it was left.
        } catch {
            let tries = held[entry.key]?.tries ?? 0
            let seconds = min(3600, 60 * pow(2, Double(min(tries, 10))))
            held[entry.key] = (Date().addingTimeInterval(seconds), tries + 1)
            means.log.fail("file.held", error, ["item.path": address(entry.key)])
        }
        inHand.remove(entry.key)
        await bell.ring()
    }

    private func handle(_ entry: ObjectStore.Entry, _ order: FileOrder, stem: String) async throws {
        let (ledger, log, full) = (means.machine.ledger, means.log, address(entry.key))
        let object = BucketFile(ObjectName(bucket: place.bucket, key: entry.key), in: store)
        let path = try await InputCache(folder: means.machine.store.root + "/inputs").fetch(object)
        guard let file = FileIdentity(path: path) else {
            throw DubError(.inputMissing, "The input is gone again.", at: path, fix: "Leave the store's folder alone.")
        }
        let content = try await ledger.digest(of: file) ?? Digest.of(fileAt: path)
        try await ledger.remember(content, of: file)
        // What lies in folders below stays apart.
        let folders = self.path(of: entry).split(separator: "/").dropLast()
        let below: [String] = folders.map { $0 == "." || $0 == ".." ? "_" : String($0) }
        let base = order.out ?? Staging.folder(of: order.publish?.to ?? watched.folder, in: means.machine.store)
        let run = FileRun(
            path: path, order: order, stem: stem,
            out: ([base] + below).joined(separator: "/"),
            quarantine: watched.quarantine)
        let profile = try run.profile(Home())
        switch try await ledger.take(content, profile: profile, path: full) {
        case .done(let run): log.note("file.known", ["item.path": full, "run.id": run])
        case .busy:
            throw DubError(
                .fileBusy, "Somebody else has it.", at: full, fix: "Wait.", persistence: .transient)
        case .taken:
            let ending: FileRun.Ending
            do {
                ending = try await run.perform(means, origin: .folder)
                guard !ending.isCancelled else { throw CancellationError() }
                if ending.mayPass(after: held[entry.key]?.tries ?? 0), let failure = ending.failure?.error {
                    throw DubError(
                        .init(name: failure.code), failure.message, at: failure.where, fix: failure.fix,
                        persistence: .transient)
                }
            } catch {
                try await ledger.settle(content, profile: profile, run: nil, isDone: false)
                throw error
            }
            let failure = ending.failure
            try await ledger.settle(content, profile: profile, run: ending.run, isDone: failure == nil)
            if let failure {
                log.warn(
                    "file.failed",
                    [
                        "item.path": full, "run.id": ending.run, "error.code": failure.error?.code,
                        "error.message": failure.error?.message,
                    ])
            } else {
                log.note("file.done", ["item.path": full, "run.id": ending.run])
            }
        }
    }
}

extension DubError.Code {
    /// Another daemon is at it.
    fileprivate static let fileBusy = Self(name: "file.busy")
}
