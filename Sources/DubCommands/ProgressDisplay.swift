internal import DubCore
internal import DubRunner
internal import Foundation

/// Shows a run as it goes: a few lines that are redrawn on a terminal, plain lines elsewhere, all on stderr.
final class ProgressDisplay: Sendable {
    private struct Stage {
        var name: String
        var count = 0
        var done = 0
        var cached = 0
        var running: [String: Double] = [:]
    }

    private struct Item {
        var name: String
        var began = ContinuousClock.now
        var stages: [Stage] = []

        mutating func update(_ name: String, _ change: (inout Stage) -> Void) {
            if let index = stages.firstIndex(where: { $0.name == name }) {
                change(&stages[index])
            } else {
                var stage = Stage(name: name)
                change(&stage)
                stages.append(stage)
            }
        }
    }

    private struct State {
        var items: [Int: Item] = [:]
        /// By stage of the pipeline.
        var weights: [String: Double] = [:]
        var total = 0
        var finished = 0
        var drawn = 0
        var lastDraw = ContinuousClock.now
        var isEnded = false
    }

    /// How much of an item's work a stage is, roughly: measured on the default engines.
    private static let weights: [String: Double] = [
        "probe": 1, "extract": 1, "chunk": 3, "separate": 20, "detect": 2, "transcribe": 25, "embed": 4,
        "translate": 40, "synthesize": 5, "mix": 4, "remux": 3, "hear": 15, "inspect": 3, "measure": 2, "normalise": 5,
        "verify": 2,
    ]

    private let state = Locked(State())
    private let isQuiet: Bool
    private let isInteractive: Bool

    init(isQuiet: Bool) {
        self.isQuiet = isQuiet
        isInteractive = Console.isInteractive && !isQuiet
    }

    /// A line before the run or behind it; nothing where it is to be quiet.
    func tell(_ line: String) {
        if !isQuiet { Console.note(line) }
    }

    /// Tells how many items there are, and through which stages each of them goes.
    func begin(items: Int, stages: [String]) {
        state.withLock {
            $0.total = items
            $0.weights = stages.reduce(into: [:]) { $0[$1] = Self.weights[$1] ?? 1 }
        }
    }

    /// Takes an event in and draws, at most ten times a second.
    func show(_ event: RunEvent) {
        state.withLock { state in
            guard !state.isEnded else { return }
            let line = Self.take(event, into: &state)
            if isQuiet { return }
            if let line {
                clear(&state)
                Console.note(line)
                draw(&state)
            } else if ContinuousClock.now - state.lastDraw > .milliseconds(100) {
                clear(&state)
                draw(&state)
            }
        }
    }

    /// Takes the display away.
    func end() {
        state.withLock { state in
            guard !state.isEnded else { return }
            clear(&state)
            state.isEnded = true
        }
    }

    /// Updates the state; what should stay on the screen is returned.
    private static func take(_ event: RunEvent, into state: inout State) -> String? {
        switch event {
        case .itemStarted(let item, let source):
            let name = Console.printable((source as NSString).lastPathComponent)
            state.items[item] = Item(name: name)
            return Console.isInteractive ? nil : "\(name): started"
        case .unfolded(let item, let stage, let count):
            state.items[item]?.update(stage) { $0.count = count }
        case .nodeStarted(let item, let stage, let node, _):
            state.items[item]?.update(stage) { $0.running[node] = 0 }
        case .nodeProgress(let item, let stage, let node, let fraction):
            state.items[item]?.update(stage) { $0.running[node] = fraction }
        case .nodeRetried(let item, _, let node, let attempt, let error):
            let name = state.items[item]?.name ?? ""
            return "\(name): \(node) failed (\(error.code)), attempt \(attempt + 1) follows"
        case .nodeFinished(let item, let stage, let node, let cached, _):
            state.items[item]?.update(stage) {
                $0.running[node] = nil
                $0.done += 1
                if cached { $0.cached += 1 }
            }
        case .stageFinished(let item, let stage):
            guard !Console.isInteractive, let shown = state.items[item],
                let count = shown.stages.first(where: { $0.name == stage }), count.cached < count.done
            else { return nil }
            return "\(shown.name): \(stage) done (\(Console.time((ContinuousClock.now - shown.began).seconds)))"
        case .nodeFailed(let item, let stage, let node, let error):
            state.items[item]?.update(stage) { $0.running[node] = nil }
            return "\(state.items[item]?.name ?? ""): \(node) failed\n\(error)"
        case .itemFinished(let record):
            let name = state.items.removeValue(forKey: record.index)?.name ?? record.source
            state.finished += 1
            return "\(name): \(record.status) in \(Console.time(record.wallSeconds))"
                + " (\(record.nodes.run) run, \(record.nodes.cached) cached)"
        }
        return nil
    }

    private func clear(_ state: inout State) {
        guard isInteractive, state.drawn > 0 else { return }
        Console.write("\u{1b}[\(state.drawn)A\u{1b}[J", to: STDERR_FILENO)
        state.drawn = 0
    }

    private func draw(_ state: inout State) {
        guard isInteractive else { return }
        state.lastDraw = .now
        var lines: [String] = []
        if state.total > 1 { lines.append("\(state.finished) of \(state.total) files done") }
        for (_, item) in state.items.sorted(by: { $0.key < $1.key }) { lines += Self.lines(item, state.weights) }
        var size = winsize()
        let width = ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
        let cut = lines.map { String($0.prefix(width - 1)) }
        Console.write(cut.map { $0 + "\n" }.joined(), to: STDERR_FILENO)
        state.drawn = cut.count
    }

    private static func lines(_ item: Item, _ weights: [String: Double]) -> [String] {
        let fraction = fraction(item, weights)
        let elapsed = (ContinuousClock.now - item.began).seconds
        let width = 24
        let filled = Int((fraction * Double(width)).rounded())
        let bar = String(repeating: "━", count: filled) + String(repeating: "─", count: width - filled)
        let left = fraction > 0.05 && elapsed > 2 ? "\(Console.time(elapsed * (1 - fraction) / fraction)) left" : ""
        let busy = item.stages.filter { !$0.running.isEmpty || ($0.done > 0 && $0.done < $0.count) }
            .map { stage in
                stage.count > 1
                    ? "\(stage.name) \(stage.done)/\(stage.count)"
                    : "\(stage.name) \(Int((stage.running.values.first ?? 0) * 100)) %"
            }.joined(separator: " · ")
        return ["\(bar) \(String(format: "%3.0f", fraction * 100)) %  \(item.name)  \(left)", "  \(busy)"]
    }

    /// How much of an item is done, 0…1: stages by weight, each by its nodes.
    private static func fraction(_ item: Item, _ weights: [String: Double]) -> Double {
        var done = 0.0
        var total = 0.0
        for (name, weight) in weights {
            total += weight
            guard let stage = item.stages.first(where: { $0.name == name }), stage.count > 0 else { continue }
            done += weight * (Double(stage.done) + stage.running.values.reduce(0, +)) / Double(stage.count)
        }
        return min(1, done / total)
    }
}
