internal import DubCore
internal import DubHTTP
internal import DubObjects
internal import Foundation

/// Inputs that are given by their addresses, brought into the store's folder `inputs` before anything is run on them.
struct InputFetch: Sendable {
    /// The folder of the store.
    let storeFolder: String
    /// At which store the objects are.
    let order: PublishOrder
    /// Whether addresses of the web may lead into networks of one's own.
    let isOwnAllowed: Bool

    /// Whether a name is the address of something that has to be fetched.
    static func isRemote(_ name: String) -> Bool {
        ["s3://", "https://", "http://"].contains { name.lowercased().hasPrefix($0) }
    }

    /// A file as it may be told and kept: an address without its query, a path absolute.
    static func shown(_ name: String) -> String {
        guard isRemote(name) else { return RunPaths.absolute(name) }
        if name.hasPrefix("s3://") { return name }
        return HTTPAddress(name)?.shown ?? Address.bare(name)
    }

    /// Where files are on this machine, in the order in which they are given.
    ///
    /// - Throws: as `InputCache.fetch`; `object.address`.
    func local(_ names: [String], note: (String) -> Void) async throws -> [String] {
        guard names.contains(where: Self.isRemote) else { return names.map(RunPaths.absolute) }
        // Of their own: no connection that was made for something else is used for an address from outside.
        let client = HTTPClient()
        let cache = InputCache(folder: "\(storeFolder)/inputs")
        let store = try ObjectStore(
            StoreSettings(
                endpoint: order.endpoint, region: order.region,
                style: order.style.flatMap { Endpoint.Style(rawValue: $0) }),
            credentials: CredentialSource(client: client), client: client)
        var paths: [String] = []
        for name in names {
            guard Self.isRemote(name) else {
                paths.append(RunPaths.absolute(name))
                continue
            }
            note("Fetching \(Console.printable(Self.shown(name)))")
            if name.hasPrefix("s3://") {
                paths.append(try await cache.fetch(BucketFile(ObjectName(name), in: store)))
            } else {
                paths.append(
                    try await cache.fetch(WebFile(name, client: client, isOwnAllowed: isOwnAllowed)))
            }
        }
        return paths
    }
}
