import DubTiming
import Testing
