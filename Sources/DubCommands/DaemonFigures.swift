internal import DubCore
internal import DubRunner
internal import DubService
internal import DubWorkers
internal import Foundation

/// What a daemon has done since it began, added up for `/metrics`.
final class DaemonFigures: Sendable {
    private struct Sums {
        var stages: [String: Histogram] = [:]
        var nodes: [String: Int] = ["done": 0, "cached": 0, "failed": 0]
        var retries = 0
        var items: [String: Int] = ["passed": 0, "review": 0, "failed": 0, "cancelled": 0]
        var mediaSeconds = 0.0
        var bytesIn: Int64 = 0
        var bytesOut: Int64 = 0
        var quarantined = 0
        var notifications: [String: Int] = ["sent": 0, "dropped": 0]
        var workerDeaths = 0
        var lastEnd = ContinuousClock.now
    }

    private let began = Date()
    private let sums = Locked(Sums())
    private static let bounds = [0.01, 0.1, 0.5, 1, 5, 15, 60, 300, 1800, 7200]

    /// Takes an event of the runner in.
    func take(_ event: RunEvent) {
        switch event {
        case .itemStarted(_, let source):
            let size = FileIdentity(path: source)?.size ?? 0
            sums.withLock { $0.bytesIn += size }
        case .nodeFinished(_, let stage, _, let cached, let seconds):
            sums.withLock { sums in
                sums.nodes[cached ? "cached" : "done", default: 0] += 1
                if !cached { sums.stages[stage, default: Histogram(bounds: Self.bounds)].observe(seconds) }
            }
        case .nodeRetried(_, _, _, _, let error):
            sums.withLock { sums in
                sums.retries += 1
                if error.code == .workerBroken { sums.workerDeaths += 1 }
            }
        case .nodeFailed: sums.withLock { $0.nodes["failed", default: 0] += 1 }
        case .itemFinished(let record):
            let size = record.outputs.reduce(0) { $0 + (FileIdentity(path: $1.path)?.size ?? 0) }
            sums.withLock { sums in
                sums.items[record.status, default: 0] += 1
                sums.lastEnd = .now
                sums.mediaSeconds += record.mediaSeconds
                sums.bytesOut += size
            }
        default: break
        }
    }

    /// For how long nothing has come to its end.
    var quiet: Duration { ContinuousClock.now - sums.withLock { $0.lastEnd } }

    /// A file was put into quarantine.
    func quarantined() { sums.withLock { $0.quarantined += 1 } }

    /// A notification was sent, or given up.
    func notified(isSent: Bool) { sums.withLock { $0.notifications[isSent ? "sent" : "dropped", default: 0] += 1 } }

    /// The figures of the moment.
    func families(
        waiting: Int, running: Int, slots: Int, oldest: Duration?, deadLetters: Int, isWorkerAlive: Bool?
    ) -> [MetricFamily] {
        let sums = sums.withLock { $0 }
        func counter(_ name: String, _ help: String, _ label: String, _ values: [String: Int]) -> MetricFamily {
            var family = MetricFamily(name, .counter, help)
            for (key, value) in values.sorted(by: { $0.key < $1.key }) { family.add(Double(value), (label, key)) }
            return family
        }
        var stages = MetricFamily("dubmill_stage_seconds", .histogram, "Seconds that nodes of a stage took")
        for (stage, histogram) in sums.stages.sorted(by: { $0.key < $1.key }) {
            stages.add(histogram, ("stage", stage))
        }
        var families = [
            MetricFamily("dubmill_queue_depth", .gauge, "Files and runs that wait for their turn", Double(waiting)),
            MetricFamily(
                "dubmill_queue_oldest_age_seconds", .gauge, "How long the oldest of them has waited",
                oldest?.seconds ?? 0),
            MetricFamily("dubmill_queue_running", .gauge, "Files and runs that are worked on", Double(running)),
            MetricFamily("dubmill_queue_slots", .gauge, "How many may be worked on at once", Double(slots)),
            stages,
            counter("dubmill_nodes_total", "Nodes by how they ended", "state", sums.nodes),
            MetricFamily(
                "dubmill_node_retries_total", .counter, "Attempts that failed and were tried again",
                Double(sums.retries)),
            MetricFamily(
                "dubmill_dead_letters", .gauge, "Nodes that failed for good and were not made good since",
                Double(deadLetters)),
            counter("dubmill_verdicts_total", "Items by how they ended", "verdict", sums.items),
            MetricFamily(
                "dubmill_media_seconds_total", .counter, "Seconds of media that were worked on", sums.mediaSeconds),
            MetricFamily(
                "dubmill_quarantined_total", .counter, "Files that were put into quarantine", Double(sums.quarantined)),
            counter(
                "dubmill_notifications_total", "Notifications by what became of them", "outcome", sums.notifications),
            MetricFamily(
                "dubmill_worker_losses_total", .counter, "Attempts that ended with the worker that made them",
                Double(sums.workerDeaths)),
            MetricFamily(
                "process_start_time_seconds", .gauge, "When the process began, in seconds since 1970",
                began.timeIntervalSince1970),
        ]
        var bytes = MetricFamily("dubmill_bytes_total", .counter, "Bytes of sources read and of outputs delivered")
        bytes.add(Double(sums.bytesIn), ("direction", "in"))
        bytes.add(Double(sums.bytesOut), ("direction", "out"))
        families.append(bytes)
        if let isWorkerAlive {
            families.append(
                MetricFamily(
                    "dubmill_worker_running", .gauge,
                    "Whether the worker of this machine runs: it begins when it is needed",
                    isWorkerAlive ? 1 : 0))
        }
        if let memory = Self.residentBytes {
            families.append(
                MetricFamily("process_resident_memory_bytes", .gauge, "Memory of the process", Double(memory)))
        }
        return families
    }

    private static var residentBytes: Int? {
        let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
        return text?.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 * Int(getpagesize()) }
    }
}
