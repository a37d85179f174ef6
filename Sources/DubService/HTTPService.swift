public import DubCore
public import DubWatch
internal import Foundation
internal import HTTPTypes
internal import HummingbirdCore
internal import HummingbirdTLS
internal import Logging
internal import NIOCore
internal import NIOPosix
internal import NIOSSL
internal import ServiceLifecycle

/// The control API: what the desk can do, over HTTP/1.1.
public struct HTTPService: Sendable {
    /// An error that is nobody's request's fault, for the log.
    public typealias Tell = @Sendable (DubError) -> Void

    private let entry: ServiceEntry
    private let desk: any Desk
    private let table: RouteTable
    private let access: ServiceAccess
    private let traffic = Traffic()
    private let tell: Tell

    /// - Parameters:
    ///   - tokens: the file of tokens.
    ///   - version: what the program calls itself.
    ///   - tell: told of errors that are not the sender's.
    public init(_ entry: ServiceEntry, tokens: String, desk: any Desk, version: String, tell: @escaping Tell) {
        self.entry = entry
        self.desk = desk
        self.tell = tell
        let followers = FollowerCount(most: entry.followers)
        table = .all(version: version, followers: followers)
        access = ServiceAccess(entry, tokens: tokens)
        traffic.followers = followers
    }

    /// What is asked, and how that is answered.
    public var figures: [MetricFamily] { traffic.figures }

    /// Listens and answers until the task is cancelled.
    ///
    /// - Parameter onListening: told the port.
    /// - Throws: `service.unavailable`.
    @concurrent
    public func run(onListening: @escaping @Sendable (Int) async -> Void) async throws {
        var channel = HTTP1Channel.Configuration(idleTimeout: patience)
        channel.httpDecoder = .init(
            maxHeaderFieldSize: entry.headerLimit, maxHeaderListSize: entry.headerLimit, maxHeaderFieldCount: 100)
        // Its own log would tell strangers' mistakes; what matters is told through `tell`.
        let silence = Logger(label: "dubmill.http") { _ in SwiftLogNoOpLogHandler() }
        do {
            var builder = HTTPServerBuilder.http1(configuration: channel)
            if let certificate = entry.certificate {
                builder = try .tls(builder, tlsConfiguration: certificate.settings())
            }
            let server = try builder.buildServer(
                configuration: ServerConfiguration(
                    address: .hostname(entry.host, port: entry.port), backlog: 1024,
                    availableConnectionsDelegate: MaximumAvailableConnections(entry.connections, logger: silence)),
                eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: silence,
                responder: { (request, writer: consuming ResponseWriter, channel) in
                    try await respond(to: request, writer, channel)
                },
                onServerRunning: { channel in await onListening(channel.localAddress?.port ?? 0) })
            try await server.run()
        } catch let error as DubError {
            throw error
        } catch is CancellationError {
            return
        } catch {
            throw DubError(
                .serviceUnavailable, "The address cannot be listened on: \(error).", at: "\(entry.host):\(entry.port)",
                fix: "Choose another with `http: listen`, or end what listens there.", persistence: .transient,
                cause: error)
        }
    }

    private var patience: TimeAmount { .milliseconds(Int64(entry.idle * 1000)) }

    /// What is thrown to have a connection closed whose request was not read to its end.
    private struct Closing: Error {}

    // MARK: - A request

    @concurrent
    private func respond(
        to request: Request, _ writer: consuming ResponseWriter, _ channel: any Channel
    ) async throws {
        var reading = BodyReading(request, limit: entry.bodyLimit)
        // Who sends or takes too slowly is let go of.
        var deadline = channel.closing(in: patience)
        defer { deadline.cancel() }
        var answer: Answer
        var name = "none"
        do {
            let (route, id) = try route(of: request)
            name = route.name
            try access.admit(request.head, to: route.access)
            try reading.check(isJSON: route.body != nil)
            let query = try Self.query(of: request)
            guard route.name == "listRuns" || query.isEmpty else { throw Self.unknownQuery }
            if reading.isAwaited { try await writer.writeInformationalHead(.init(status: .continue)) }
            let body = try await reading.whole()
            deadline.cancel()
            var headers: [String: String] = [:]
            for field in ["accept", "idempotency-key", "last-event-id"] {
                headers[field] = HTTPField.Name(field).flatMap { request.headers[$0] }
            }
            answer = try await route.perform(
                Call(id: id, query: query, headers: headers, body: body, desk: desk))
        } catch let error as DubError {
            answer = .problem(error)
            if answer.status >= 500 { tell(error) }
        } catch let error where reading.isBroken || error is CancellationError {
            throw error
        } catch {
            let error = DubError(
                .init(name: "internal"), "\(error)", at: "\(request.method) \(name)", fix: "Please report this.")
            tell(error)
            answer = .problem(error)
        }
        if answer.status == 405, case .otherMethod(let methods) = table.find(request.method.rawValue, request.uri.path)
        {
            answer.headers.append(("allow", methods.joined(separator: ", ")))
        }
        traffic.count(name, answer.status)
        deadline.cancel()
        deadline = channel.closing(in: patience)
        try await send(answer, to: request, writer, channel, mustClose: !reading.isAtEnd, deadline)
        guard reading.isAtEnd else {
            // Some of what is still on its way, so that the sender reads the answer before the connection breaks.
            deadline.cancel()
            deadline = channel.closing(in: .seconds(1))
            try await reading.discard(upTo: 1 << 20)
            throw Closing()
        }
    }

    @concurrent
    private func send(
        _ answer: Answer, to request: Request, _ writer: consuming ResponseWriter, _ channel: any Channel,
        mustClose: Bool, _ deadline: Scheduled<Void>
    ) async throws {
        var head = HTTPResponse(status: .init(code: answer.status))
        for (name, value) in answer.headers {
            if let name = HTTPField.Name(name) { head.headerFields[name] = value }
        }
        head.headerFields[.xContentTypeOptions] = "nosniff"
        if head.headerFields[.cacheControl] == nil { head.headerFields[.cacheControl] = "no-store" }
        if mustClose { head.headerFields[.connection] = "close" }
        switch answer.body {
        case .bytes(let bytes):
            if answer.status != 204 { head.headerFields[.contentLength] = "\(bytes.count)" }
            // Who asks for the head gets the head.
            let isHead = request.method == .head || answer.status == 204
            try await writer.write(
                response: head, body: isHead ? ResponseBody() : ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
        case .stream(let write):
            guard request.method != .head else { return try await writer.writeResponse(head) }
            deadline.cancel()
            let patience = patience
            try await writer.write(
                response: head,
                body: ResponseBody { body in
                    var events = EventWriter(body, channel, patience: patience)
                    try await write(&events)
                    try await body.finish(nil)
                })
        }
    }

    private func route(of request: Request) throws(DubError) -> (Route, String) {
        switch table.find(request.method.rawValue, request.uri.path) {
        case .route(let route, let id):
            guard !route.path.contains("{id}") || RunName.isSound(id) else {
                throw DubError(
                    .runUnknown, "There is no run of this name.", at: "the address", fix: "See GET /v1/runs.")
            }
            return (route, id)
        case .otherMethod(let methods):
            throw DubError(
                .requestMethod, "The address does not know this method.", at: "the request line",
                fix: "Use \(methods.joined(separator: ", ")).")
        case .nothing:
            throw DubError(
                .requestUnknown, "There is no such address.", at: "the request line", fix: "See /openapi.json.")
        }
    }

    private static let unknownQuery = DubError(
        .requestInvalid, "This address takes no query.", at: "the query", fix: "Leave it out.")

    private static func query(of request: Request) throws(DubError) -> [String: String] {
        var query: [String: String] = [:]
        for pair in (request.uri.query ?? "").split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                .map { $0.replacing("+", with: " ").removingPercentEncoding }
            guard let name = parts[0], let value = parts.count > 1 ? parts[1] : "" else {
                throw DubError(.requestInvalid, "It is badly encoded.", at: "the query", fix: "Encode it in UTF-8.")
            }
            guard query.updateValue(value, forKey: name) == nil else {
                throw DubError(.requestInvalid, "It says something twice.", at: "the query", fix: "Say it once.")
            }
        }
        return query
    }
}

extension ServiceEntry.Certificate {
    /// - Throws: `service.unavailable` where they cannot be used.
    func settings() throws(DubError) -> TLSConfiguration {
        do {
            var settings = TLSConfiguration.makeServerConfiguration(
                certificateChain: try NIOSSLCertificate.fromPEMFile(chain).map { .certificate($0) },
                privateKey: .privateKey(try NIOSSLPrivateKey(file: key, format: .pem)))
            settings.minimumTLSVersion = .tlsv12
            // A key that is another certificate's is found here, and not by the first who connects.
            _ = try NIOSSLContext(configuration: settings)
            return settings
        } catch {
            throw DubError(
                .serviceUnavailable, "The certificate or its key cannot be used: \(error).", at: chain,
                fix: "Name PEM files that belong together.", cause: error)
        }
    }
}
