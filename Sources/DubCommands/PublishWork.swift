internal import DubCore
internal import DubHTTP
internal import DubLedger
internal import DubObjects
internal import DubPublish
internal import DubRunner
internal import DubStorage
internal import Foundation

/// Publishing on this machine: what is intended is written into the ledger, and then done.
struct PublishWork: Sendable {
    let ledger: SQLiteLedger
    let store: FileStore
    private let opened = Locked(Opened())

    /// Stores that were spoken to, by what they were asked for with: their connections are used again.
    private struct Opened {
        var client: HTTPClient?
        var stores: [PublishOrder: ObjectStore] = [:]
        var rules: Set<String> = []
    }

    init(ledger: SQLiteLedger, store: FileStore) {
        self.ledger = ledger
        self.store = store
    }

    init(_ machine: Machine) {
        self.init(ledger: machine.ledger, store: machine.store)
    }

    /// An order that says itself which store is meant: whoever carries it out may have another environment.
    private static func settled(_ order: PublishOrder) throws -> PublishOrder {
        guard try DestinationAddress(order.to).bucket != nil else { return order }
        var order = order
        let found = try StoreSettings(
            profile: order.profile, endpoint: order.endpoint, region: order.region,
            style: order.style.flatMap { Endpoint.Style(rawValue: $0) })
        order.endpoint = found.endpoint.address
        order.region = found.region
        order.style = found.endpoint.style.rawValue
        return order
    }

    /// Whether such an order could be carried out, as far as that can be known beforehand.
    ///
    /// - Throws: `object.address`; `settings.invalid`.
    static func check(_ order: PublishOrder) throws {
        let address = try DestinationAddress(order.to)
        if let style = order.style, Endpoint.Style(rawValue: style) == nil {
            throw DubError(
                .settingsInvalid, "`\(style)` is no style.", at: "style", fix: "Give path or virtual.")
        }
        guard address.bucket == nil else {
            _ = try StoreSettings(profile: order.profile, endpoint: order.endpoint, region: order.region)
            return
        }
        guard order.retainDays == nil else {
            throw DubError(
                .settingsInvalid, "A folder lets nothing go by itself.", at: order.to,
                fix: "Leave --retain out; dubmill erase removes what was published.")
        }
    }

    // MARK: - Intended

    /// Writes down what is to be published of an item.
    ///
    /// - Parameter note: takes a line for whoever reads along.
    /// - Throws: as `PublicationDraft.make`; `ledger.failed`; `input.missing` where the source is not known any more.
    func intend(
        _ item: ItemRecord, of run: String, _ order: PublishOrder, isForced: Bool = false,
        note: (String) -> Void = { _ in }
    ) async throws -> PublicationDraft.Result {
        try Self.check(order)
        let order = try Self.settled(order)
        // By path: what was refused and kept is of another kind when it is published.
        var places: [String: (path: String, size: Int64)] = [:]
        for output in item.outputs { places[output.path] = try await place(of: output, note) }
        let file = FileIdentity(path: item.source)
        var digest = item.sha256
        if digest == nil, let file { digest = try await ledger.digest(of: file) ?? Digest.of(fileAt: item.source) }
        guard let digest else {
            throw DubError(
                .inputMissing, "The source is gone, and its digest was not kept by the dubmill that dubbed it.",
                at: item.source, fix: "Put it back, or run again.")
        }
        // Of a file that is another by now the size is not that of the source.
        var isSame = false
        if let file { isSame = try await ledger.digest(of: file) == digest }
        let draft = PublicationDraft(
            run: run, item: item,
            source: .init(
                name: (item.source as NSString).lastPathComponent, sha256: digest, size: isSame ? file?.size : nil),
            engines: try await ledger.engines(of: run, item: item.index), version: Version.text, order: order,
            isForced: isForced)
        let found = places
        var result = try draft.make(
            now: Date(timeIntervalSince1970: Date().timeIntervalSince1970.rounded(.down)), locate: { found[$0.path] },
            read: { output in found[output.path].flatMap { FileManager.default.contents(atPath: $0.path) } })
        result.publication = try await ledger.intend(result.publication)
        return result
    }

    /// Where the bytes of an output are: in the output folder, else in the store.
    private func place(of output: OutputRecord, _ note: (String) -> Void) async throws -> (path: String, size: Int64)? {
        for path in [output.path, stored(output.sha256, type: (output.path as NSString).pathExtension)] {
            guard let file = FileIdentity(path: path) else { continue }
            var digest = try await ledger.digest(of: file)
            if digest == nil {
                digest = try Digest.of(fileAt: path)
                if path == output.path, let digest { try await ledger.remember(digest, of: file) }
            }
            if digest == output.sha256 { return (path, file.size) }
            if path == output.path {
                note("Changed since the run, and published as the run made it: \(Console.printable(path))")
            }
        }
        return nil
    }

    /// Where an artifact is, or would be; from now on nobody removes it.
    private func stored(_ digest: Digest, type: String) -> String {
        let artifact = Artifact(digest: digest, size: 0, type: type)
        _ = store.state(of: artifact)
        return store.path(of: artifact)
    }

    // MARK: - Done

    /// How an attempt to publish ended.
    struct Ending: Sendable {
        /// As it is written now.
        var publication: Publication
        /// Why it is not done.
        var error: DubError?
    }

    /// Makes one.
    ///
    /// - Throws: as `Publisher.publish`.
    func perform(_ publication: Publication, note: (String) -> Void = { _ in }) async throws {
        let rule = Locked<String?>(nil)
        let publisher = Publisher(
            outbox: ledger, destination: try destination(publication.order),
            beforeManifest: {
                let said = await retention(publication.order)
                rule.withLock { $0 = said }
            }
        ) { file in
            stored(file.sha256, type: (file.path as NSString).pathExtension)
        }
        let effort = try await publisher.publish(publication)
        if let said = rule.withLock({ $0 }) { note(said) }
        note(
            "Published \(publication.id): \(effort.sent) sent, \(effort.found) there already, to "
                + Console.printable(publication.folder))
    }

    /// Makes them one after the other; one that fails does not keep the others back.
    ///
    /// - Throws: `ledger.failed`; `CancellationError`.
    func finish(_ publications: [Publication], note: (String) -> Void) async throws -> [Ending] {
        var endings: [Ending] = []
        for publication in publications {
            var error: DubError?
            do {
                try await perform(publication, note: note)
            } catch let failure as DubError {
                error = failure
            }
            let written = try await ledger.publication(named: publication.id) ?? publication
            endings.append(Ending(publication: written, error: error))
        }
        return endings
    }

    /// 0 where all is done, 130 where it was interrupted, 75 where what is not may be done later, 1.
    static func exitCode(of endings: [Ending]) -> Int32 {
        let errors = endings.compactMap(\.error)
        if errors.isEmpty { return Exit.passed }
        if errors.contains(where: { $0.code == .cancelled }) { return Exit.interrupted }
        return errors.contains { $0.persistence == .permanent } ? Exit.failed : Exit.tryAgain
    }

    // MARK: - Where

    /// Opens a destination.
    ///
    /// - Throws: `object.address`.
    func destination(_ order: PublishOrder) throws -> any Destination {
        let address = try DestinationAddress(order.to)
        guard let bucket = address.bucket else { return FolderDestination(address.text) }
        return BucketDestination(try objects(order), bucket: bucket)
    }

    private func objects(_ order: PublishOrder) throws -> ObjectStore {
        // The place and the time make no other store.
        var who = order
        (who.to, who.retainDays) = ("", nil)
        return try opened.withLock { opened in
            if let store = opened.stores[who] { return store }
            let client = opened.client ?? HTTPClient()
            opened.client = client
            let store = ObjectStore(
                try StoreSettings(
                    profile: who.profile, endpoint: who.endpoint, region: who.region,
                    style: who.style.flatMap { Endpoint.Style(rawValue: $0) }),
                credentials: CredentialSource(profile: who.profile, client: client), client: client,
                limits: .init(journals: Home().uploads))
            opened.stores[who] = store
            return store
        }
    }

    /// Sees to it that a bucket lets things go after a time, once for each bucket, prefix and time.
    ///
    /// - Returns: what somebody should know.
    private func retention(_ order: PublishOrder) async -> String? {
        guard let days = order.retainDays, let address = try? DestinationAddress(order.to),
            let bucket = address.bucket, let store = try? objects(order),
            opened.withLock({ $0.rules.insert("\(address.text) \(days)").inserted })
        else { return nil }
        switch await RetentionRule.ensure(days: days, prefix: address.prefix, bucket: bucket, in: store) {
        case .there: return nil
        case .set:
            return
                "s3://\(bucket) has a lifecycle rule now: what is tagged dubmill-retain=\(days)d goes after \(days) days."
        case .refused(let why):
            // The next that is published tries again.
            opened.withLock { _ = $0.rules.remove("\(address.text) \(days)") }
            return """
                s3://\(bucket) could not be given the lifecycle rule that lets go of what is tagged. Set it by hand: \
                prefix “\(address.prefix)”, tag dubmill-retain=\(days)d, expire after \(days) days.
                \(why)
                """
        }
    }
}
