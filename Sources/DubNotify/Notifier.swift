public import DubCore
public import DubHTTP
internal import DubWatch
internal import Foundation

/// Tells people and programs what comes to pass: each in its form, again where that failed, in the background.
public actor Notifier {
    /// What became of a notification.
    public enum Outcome: Sendable {
        /// It was taken.
        case sent
        /// It was given up.
        case dropped(place: String, DubError)
    }

    private let client: HTTPClient
    private let version: String
    private let host: String
    private let pause: Duration
    private let tell: @Sendable (Outcome) -> Void
    private var recipients: [Recipient]
    private var sending: [UUID: Task<Void, Never>] = [:]
    /// When an error of a kind was last told: a broken disk fails a thousand times.
    private var told: [String: ContinuousClock.Instant] = [:]

    /// How often one is tried.
    static let attempts = 5
    private static let most = 1000

    /// - Parameters:
    ///   - version: what the program calls itself.
    ///   - host: what the machine is called.
    ///   - pause: before the second attempt; twice as long before each one after that.
    ///   - tell: told what became of each.
    public init(
        _ recipients: [Recipient], client: HTTPClient, version: String, host: String, pause: Duration = .seconds(1),
        tell: @escaping @Sendable (Outcome) -> Void
    ) {
        self.recipients = recipients
        self.client = client
        self.version = version
        self.host = host
        self.pause = pause
        self.tell = tell
    }

    /// Tells others from now on.
    public func adopt(_ recipients: [Recipient]) { self.recipients = recipients }

    /// Has it told to all who want to know, and does not wait for that.
    public func post(_ notice: Notice) {
        if notice.event == .error, let error = notice.error {
            let kind = "\(error.code) \(notice.what)"
            if let last = told[kind], .now - last < .seconds(60) { return }
            told[kind] = .now
        }
        for recipient in recipients where recipient.entry.events.contains(notice.event) {
            guard sending.count < Self.most else {
                tell(
                    .dropped(
                        place: recipient.place,
                        DubError(
                            .httpFailed, "\(Self.most) notifications wait already.", at: recipient.place,
                            fix: "See why they are not taken.")))
                continue
            }
            let id = UUID()
            // Unstructured: nobody waits for it but the end of the daemon.
            sending[id] = Task {
                await deliver(notice, to: recipient)
                sending[id] = nil
            }
        }
    }

    /// Waits until all is told, but no longer than that; what is left is given up.
    public func flush(within limit: Duration) async {
        let tasks = Array(sending.values)
        let deadline = Task {
            do { try await Task.sleep(for: limit) } catch { return }
            for task in tasks { task.cancel() }
        }
        for task in tasks { await task.value }
        deadline.cancel()
    }

    private func deliver(_ notice: Notice, to recipient: Recipient) async {
        var wait = pause
        for attempt in 1...Self.attempts {
            let failure: DubError
            do {
                let request = recipient.request(notice, version: version, host: host, now: Date())
                let response = try await client.send(request)
                if (200..<300).contains(response.status) { return tell(.sent) }
                let isPassing = response.status == 429 || response.status >= 500
                failure = DubError(
                    .httpFailed, "It was answered with \(response.status).", at: recipient.place,
                    fix: "Check the address and the key.", persistence: isPassing ? .transient : .permanent)
                if let text = response.headers["Retry-After"], let seconds = Int(text), seconds > 0 {
                    wait = max(wait, .seconds(min(seconds, 60)))
                }
            } catch let error as DubError {
                // The sentence may hold the address, and that may be a secret.
                failure = DubError(
                    error.code, "The server cannot be reached, or broke off.", at: recipient.place,
                    fix: "Check that it runs and that the address is right.", persistence: .transient)
            } catch {
                return
            }
            guard failure.persistence == .transient, attempt < Self.attempts else {
                return tell(.dropped(place: recipient.place, failure))
            }
            do { try await Task.sleep(for: wait) } catch { return tell(.dropped(place: recipient.place, failure)) }
            wait *= 2
        }
    }
}
